import sys
from pathlib import Path

import pytest

from tests.command import Command, run_command

# What is typed wrong, and the words of the message. More targets that may not be built: test_limits.py.
WRONG = {
    "optimizer.lrr=1": ["optimizer.lrr", "did you mean optimizer.lr?", "command line: optimizer.lrr=1"],
    "+optimizer.lrr=1": ["optimizer.lrr", "did you mean optimizer.lr?", "command line"],
    "++optimizer.lrr=1": ["optimizer.lrr", "did you mean optimizer.lr?", "command line"],
    "~optimizer.lrr": ["optimizer.lrr"],
    "modle=cnn": ["modle", "did you mean model?"],
    "model=cmn": ["model=cmn", "did you mean model=cnn?", "mlp"],
    "experiment=nothing": ["nothing"],
    "data=minst": ["data=minst", "did you mean data=mnist?"],
    "+sede=1": ["sede", "did you mean seed?"],
    "+foo=1": ["foo: unknown key", "known: model"],
    "+augmentation.affne.degrees=3": ["augmentation.affne", "_target_"],
    "seed=abc": ["seed=abc", "integer"],
    "seed=-1": ["seed=-1", "greater than or equal to 0"],
    "seed=1.5": ["seed=1.5", "integer"],
    "label_smoothing=1": ["label_smoothing=1", "less than 1"],
    "optimizer.lr=fast": ["optimizer.lr=fast", "number"],
    "optimizer.lr=0": ["optimizer.lr=0", "greater than 0"],
    "optimizer.lr=nan": ["optimizer.lr"],
    "optimizer.betas=[0.9]": ["optimizer.betas", "at least 2"],
    "model.dropout=2": ["model.dropout=2", "less than 1"],
    "model.filters=[32,-1]": ["model.filters[1]", "greater than 0"],
    "model.filters=[]": ["model.filters", "at least 1"],
    "model.hidden=true": ["model.hidden=true", "integer"],
    "data.batch_size=0": ["data.batch_size=0", "greater than 0"],
    "data.batch_size='128'": ["data.batch_size=128", "integer"],
    "trainer.max_epochs=ten": ["trainer.max_epochs=ten", "integer"],
    "+trainer.max_epoch=3": ["trainer.max_epoch", "did you mean trainer.max_epochs?"],
    "model._target_=os.system": ["os.system", "may not be built", "DIGITREC_ALLOW=os"],
    "model._target_=digitrec.models.cnn.torch.load": ["digitrec.models.cnn.torch.load", "no class or function"],
    "data._target_=digitrec.run_folder.record.write_json": ["write_json", "may not be built"],
    "+trainer.plugins=[{_target_:os.system,command:ls}]": ["trainer.plugins[0]._target_", "os.system"],
    "+trainer.plugins={a:[{b:{_target_:os.system,command:ls}}]}": ["trainer.plugins.a[0].b._target_", "os.system"],
    "+callbacks.history._partial_=true": ["callbacks.history._partial_", "unknown key"],
    "+callbacks.ema={_target_:lightning.pytorch.callbacks.EMAWeightAveraging,_args_:[1]}": ["callbacks.ema._args_"],
    "objective=val/acuracy": ["objective=val/acuracy", "did you mean val/accuracy?"],
    "callbacks.best_checkpoint.monitor=val/acuracy": ["monitor=val/acuracy", "did you mean val/accuracy?"],
    "data.dataset=minst": ["data.dataset=minst", "'mnist'"],
    "trainer.accumulate_grad_batches=0": ["accumulate_grad_batches=0", "greater than or equal to 1"],
    "trainer.check_val_every_n_epoch=0": ["check_val_every_n_epoch=0", "greater than or equal to 1"],
    "+optimizer={1:2}": ["optimizer.1", "unknown key"],
    "optimizer._target_=digitrec.training.schedules.constant": ["schedules.constant", "may not be built"],
    "+callbacks.x={_target_:digitrec.data.augmentation.Shift}": ["augmentation.Shift", "may not be built"],
    "+hydra.callbacks.x={_target_:builtins.open,file:pwned,mode:w}": ["builtins.open", "may not be built"],
    "~optimizer": ["optimizer: missing"],
    "run_dir=/nowhere/x": ["run_dir=/nowhere/x", "set that instead"],
    "data.root=~/pics": ["data.root=~/pics", "needs quotes"],
    "model._target_=digitrec.models.cnn.CMN": ["no class or function digitrec.models.cnn.CMN"],
    "model=null": ["model=null", "group override"],
    "callbacks=none": ["callbacks=none", "no such option"],
    "seed=${nope}": ["nope", "not found"],
    "foo": ["foo"],
    "--modle=cnn": ["--modle=cnn", "no such option", "without dashes"],
    "model=cnn,mlp": ["model=cnn,mlp", "-m"],
    "seed=": ["seed"],
    "model.filters=[32": ["filters"],
}


@pytest.mark.parametrize("argument", WRONG)
def test_a_wrong_setting_gives_two_lines_at_most(argument: str, run_train: Command, tmp_path: Path) -> None:
    run_train(argument).assert_refused(*WRONG[argument], lines=2)
    assert not list(tmp_path.glob("outputs/train/*"))
    assert not (tmp_path / "pwned").exists()


def test_a_logging_configuration_starts_no_program(run_train: Command, tmp_path: Path) -> None:
    marker = tmp_path / "pwned"
    handler = f"+hydra.job_logging.handlers.x={{class:subprocess.Popen,args:[touch,{marker}]}}"
    assert "Unable to configure handler 'x'" in run_train("data=digits", handler, code=2).err
    assert not marker.exists()


@pytest.mark.parametrize("argument", ["optimizer.lrr=1", "+trainer.max_epoch=3", "model.dropout=2", "--help"])
def test_answers_without_importing_torch(argument: str, tmp_path: Path) -> None:
    program = (
        "import sys; from digitrec import train\n"
        "try: train.main()\n"
        "except SystemExit: print('torch' in sys.modules or 'lightning' in sys.modules, file=sys.stderr)"
    )
    assert run_command(sys.executable, "-c", program, argument, cwd=tmp_path, code=0).err.endswith("False\n")


def test_names_the_file_and_line_of_a_wrong_key(run_train: Command, tmp_path: Path) -> None:
    conf = tmp_path / "conf" / "experiment"
    conf.mkdir(parents=True)
    text = "# @package _global_\noptimizer:\n  lr: 0.1\n  wieght_decay: 0.1\n"
    (conf / "mine.yaml").write_text(text, encoding="utf-8")
    refused = run_train("--config-dir", str(tmp_path / "conf"), "experiment=mine")
    unknown = "optimizer.wieght_decay: unknown key, did you mean optimizer.weight_decay?"
    refused.assert_refused(unknown, "experiment/mine.yaml:4", lines=2)


def test_interpolations_work(run_train: Command) -> None:
    outcome = run_train("--cfg", "job", "--resolve", "data.eval_batch_size=${data.batch_size}", "run_dir=x", code=0)
    assert "eval_batch_size: 128" in outcome.out


def test_help_lists_groups_options_and_examples(run_train: Command) -> None:
    outcome = run_train("--help", code=0)
    shown = ("model: cnn, densenet121", "optimizer: adam, adamw", "python -m digitrec.train -m", "tensorboard --logdir")
    assert all(words in outcome.out for words in shown)


def test_gpu_on_a_machine_without_one_is_one_line(run_train: Command) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    run_train("trainer=gpu", "data=digits").assert_refused("error: trainer.accelerator=gpu: ")
