"""What may stand in yaml and on a command line, checked before torch is imported."""
