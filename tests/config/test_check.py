import re
import sys
from pathlib import Path

import pytest

from digitrec.config import compose
from digitrec.errors import UsageError
from tests.command import Command, run_command, write_experiment

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
    "data=MNIST": ["data=MNIST", "did you mean data=mnist?"],
    "augmentation=[afine]": ["augmentation=afine", "did you mean augmentation=affine?", "elastic"],
    "lr=0.1": ["lr: unknown key", "did you mean optimizer.lr?", "command line: lr=0.1"],
    "+lr=0.1": ["lr: unknown key", "did you mean optimizer.lr?"],
    "max_epochs=3": ["did you mean trainer.max_epochs?"],
    "epochs=3": ["did you mean trainer.max_epochs?"],
    "hidden=3": ["did you mean model.hidden?"],
    "model.lr=3": ["did you mean optimizer.lr?"],
    "optimizer.learning_rate=3": ["did you mean optimizer.lr?"],
    "+optimizer.learning_rate=3": ["did you mean optimizer.lr?"],
    "datamodule.batch_size=3": ["did you mean data.batch_size?"],
    "optimizer.lr=interval(0.001,0.1)": ["optimizer.lr=interval(0.001,0.1)", "digitrec.tune"],
    "-m optimizer.lr=tag(log,interval(0.001,0.1))": ["interval(0.001,0.1)", "digitrec.tune"],
    "hydra/sweeper=optuna": ["hydra/sweeper=optuna", "digitrec.tune"],
    "--cfg": ["--cfg: expected job, hydra or all"],
    "--cfg yaml": ["--cfg: expected job, hydra or all"],
    "seed=1 --config-dir": ["--config-dir: expected something after it"],
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
    "model._target_=my.networks.Net": ["my.networks.Net", "may not be built", "DIGITREC_ALLOW=my.networks"],
    "model._target_=digitrec.models.cnn.torch.load": ["digitrec.models.cnn.torch.load", "no class or function"],
    "data._target_=digitrec.run_folder.record.write_json": ["write_json", "may not be built"],
    "+trainer.plugins=[{_target_:os.system,command:ls}]": ["trainer.plugins[0]._target_", "os.system"],
    "+trainer.plugins={a:[{b:{_target_:os.system,command:ls}}]}": ["trainer.plugins.a[0].b._target_", "os.system"],
    "+callbacks.history._partial_=true": ["callbacks.history._partial_", "unknown key"],
    "+callbacks.ema={_target_:lightning.pytorch.callbacks.EMAWeightAveraging,_args_:[1]}": ["callbacks.ema._args_"],
    "objective=val/acuracy": ["objective=val/acuracy", "did you mean val/accuracy?"],
    "callbacks.best_checkpoint.monitor=val/acuracy": ["monitor=val/acuracy", "did you mean val/accuracy?"],
    "callbacks.best_checkpoint.monitor=val_loss": ["monitor=val_loss", "did you mean val/loss?"],
    "callbacks.best_checkpoint.monitor=test/loss": ["monitor=test/loss: no such metric in training"],
    "objective=val/cohen_kappa": ["objective=val/cohen_kappa", "add metrics=[default,cohen_kappa]"],
    "metrics=[default,cohen_kappa] objective=val/cohen_kapa": ["did you mean val/cohen_kappa?"],
    "metrics=[default,cohen_kappa] +metrics.cohen_kappa.weights=3": ["metrics.cohen_kappa.weights=3", "'linear'"],
    "+metrics.x={_target_:torch.load}": ["metrics.x._target_", "torch.load may not be built"],
    "+metrics.x={_target_:torchmetrics.wrappers.BootStrapper}": ["BootStrapper may not be built"],
    "+metrics.loss={_target_:torchmetrics.regression.R2Score}": ["metrics.loss", "none of ours has"],
    "objective=val/f1_by_class": ["no such metric"],
    "trainer.strategy=ddp_notebook": ["trainer.strategy=ddp_notebook", "'ddp'"],
    "trainer.strategy=fsdp": ["trainer.strategy=fsdp", "'ddp'"],
    "trainer.strategy={_target_:lightning.pytorch.strategies.DDPStrategy,start_method:spawn}": ["start_method=spawn"],
    "trainer.strategy={_target_:lightning.pytorch.strategies.FSDPStrategy}": ["FSDPStrategy", "strategies.ddp"],
    "data=folder data.root=missing": ["data.root=missing: no such folder", "<class>/<pictures>"],
    "data.dataset=minst": ["data.dataset=minst", "'mnist'"],
    "trainer.accumulate_grad_batches=0": ["accumulate_grad_batches=0", "greater than or equal to 1"],
    "trainer.check_val_every_n_epoch=0": ["check_val_every_n_epoch=0", "greater than or equal to 1"],
    "+optimizer={1:2}": ["optimizer.1", "unknown key"],
    "optimizer._target_=digitrec.training.schedules.constant": ["schedules.constant", "may not be built"],
    "+callbacks.x={_target_:digitrec.data.augmentation.Shift}": ["augmentation.Shift", "may not be built"],
    "+hydra.callbacks.x={_target_:builtins.open,file:pwned,mode:w}": ["builtins.open", "may not be built"],
    "~optimizer": ["optimizer: missing"],
    "run_dir=/nowhere/x": ["run_dir=/nowhere/x", "set that instead"],
    "init_from=a#b": ["init_from=a#b: cannot be read", "needs quotes"],
    "model._target_=digitrec.models.cnn.CMN": ["no class or function digitrec.models.cnn.CMN"],
    "model=null": ["model=null", "group override"],
    "callbacks=none": ["callbacks=none", "no such option"],
    "seed=${nope}": ["nope", "not found"],
    "foo": ["foo"],
    "+=[]": ["+=[]: expected key=value"],
    "--modle=cnn": ["--modle=cnn", "no such option", "without dashes"],
    "model=cnn,mlp": ["model=cnn,mlp", "-m"],
    "seed=": ["seed"],
    "model.filters=[32": ["filters"],
}


@pytest.mark.parametrize("argument", WRONG)
def test_a_wrong_setting_gives_two_lines_at_most(argument: str, run_train: Command, tmp_path: Path) -> None:
    run_train(*argument.split()).assert_refused(*WRONG[argument], lines=2)
    assert not list(tmp_path.glob("outputs/*/*"))
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


HEADER = "# @package _global_\n"
NOTE = "note: fünf\n"
FILES = {
    "a wrong key": (
        f"{HEADER}optimizer:\n  lr: 0.1\n  wieght_decay: 0.1\n".encode(),
        ["optimizer.wieght_decay: unknown key, did you mean optimizer.weight_decay?", "experiment/mine.yaml:4"],
    ),
    "no header": (b"seed: 1\n", ["mine.yaml: the line '# @package _global_' is missing"]),
    "UTF-16": (f"{HEADER}{NOTE}".encode("utf-16"), ["mine.yaml:1: the file is in UTF-16; save it as UTF-8"]),
    "Latin-1": (f"{HEADER}{NOTE}".encode("latin-1"), ["mine.yaml:2: the file is not in UTF-8", "save it as UTF-8"]),
    "no override": (f"{HEADER}defaults:\n  - data: digits\n".encode(), ["experiment=mine", "- override /data: ..."]),
    "two values": (f"{HEADER}defaults:\n  - /data: digits\n".encode(), ["experiment=mine", "- override /data: ..."]),
    "no slash": (f"{HEADER}defaults:\n  - override data: digits\n".encode(), ["- override /data: ..."]),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_what_is_wrong_in_a_file_is_named_with_the_file(case: str, run_train: Command, tmp_path: Path) -> None:
    content, parts = FILES[case]
    run_train(*write_experiment(tmp_path, content)).assert_refused(*parts)


@pytest.mark.parametrize(
    ("content", "part"), [("", "no settings in it"), ("# mine\n", "no settings in it"), ("hidden: [8]\n", "a _target_")]
)
def test_an_option_without_what_it_needs_is_named_by_its_file(
    content: str, part: str, run_train: Command, tmp_path: Path
) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(content)
    run_train("--config-dir=conf", "model=mine").assert_refused("conf/model/mine.yaml", part)


def test_settings_that_were_not_installed_are_named(
    run_train: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitrec.launch.command.CONF_DIR", tmp_path / "conf")
    run_train("model=mlp").assert_refused(f"{tmp_path}/conf/train.yaml: no such file")


def test_an_empty_argument_is_one(run_train: Command) -> None:
    run_train("").assert_refused("an argument is empty")


@pytest.mark.parametrize("before", ["", "\ufeff", "\n# mine\n", "\ufeff# mine\r\n"])
def test_what_editors_put_before_the_header_makes_no_difference(
    before: str, run_train: Command, tmp_path: Path
) -> None:
    experiment = write_experiment(tmp_path, f"{before}{HEADER}{NOTE}")
    assert NOTE in run_train("--cfg", "job", *experiment, code=0).out


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("trian", "seed=1", "did you mean train?"),
        ("train", "augmentation=[afine]", "did you mean augmentation=affine?"),
        ("train", "lr=1", "did you mean optimizer.lr?"),
    ],
)
def test_from_python_the_words_are_the_same(name: str, override: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        compose(name, [override])


def test_interpolations_work(run_train: Command) -> None:
    outcome = run_train("--cfg", "job", "--resolve", "data.eval_batch_size=${data.batch_size}", "run_dir=x", code=0)
    assert "eval_batch_size: 128" in outcome.out


def test_help_lists_groups_options_and_examples(run_train: Command) -> None:
    outcome = run_train("--help", code=0)
    shown = ("model: cnn, densenet121", "optimizer: adam, adamw", "python -m digitrec.train -m", "tensorboard --logdir")
    assert all(words in outcome.out for words in shown)


def test_help_keeps_the_comments_of_what_is_composed_within_80_columns(
    run_train: Command, run_evaluate: Command
) -> None:
    outcome = run_train("--help", "model=mlp", "callbacks=[default,early_stopping]", code=0)
    settings = outcome.out.partition("as composed now")[2]
    for line in ("hidden:", "share of units silenced after each", "refresh_rate: 20", "# batches between two updates"):
        assert line in settings
    assert "feature maps of each block" not in settings
    commented = [line for line in settings.splitlines() if "# " in line]
    assert max(map(len, commented)) <= 80
    assert "# test, val or train" in run_evaluate("--help", code=0).out


def test_gpu_on_a_machine_without_one_is_one_line(run_train: Command) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    run_train("trainer=gpu", "data=digits").assert_refused("error: trainer.accelerator=gpu: ")
