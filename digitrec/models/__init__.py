"""The shared LightningModule and one file per network."""
