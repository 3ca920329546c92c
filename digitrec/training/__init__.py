"""What a training run needs besides model and data: optimizers, schedules, records, callbacks."""
