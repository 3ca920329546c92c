"""What lies below outputs/: run folders read as they are, without a database and without torch."""
