"""``gonogo phone``: a page that runs the gauge in the browser of a phone, and the server that it comes from."""
