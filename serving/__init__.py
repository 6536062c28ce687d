"""What speaks TF Serving's protocol: a client, and a server to develop against. Imports nothing of the project."""
