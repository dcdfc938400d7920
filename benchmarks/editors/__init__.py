"""What somebody who types sees in a real editor, and when."""
