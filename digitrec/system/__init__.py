"""What is asked of the operating system and changed in other libraries."""
