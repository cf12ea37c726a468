"""What serves a gauge to people: the page for phones, later the station on the line."""
