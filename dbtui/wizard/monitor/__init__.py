"""What the monitor and the result of a run are made of besides their screens; nothing here knows Textual."""
