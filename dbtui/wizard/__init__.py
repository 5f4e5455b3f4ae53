"""The Textual application: home, the steps from pictures to a training, the monitor."""
