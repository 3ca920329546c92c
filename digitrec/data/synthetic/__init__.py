"""Training images made by rule: digits in many forms, and what is no digit."""
