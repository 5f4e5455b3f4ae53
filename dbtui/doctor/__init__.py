"""What this machine can do: each part is asked, judged, and told in one line with the next action."""
