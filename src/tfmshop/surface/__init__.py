"""Where the world touches the shop: HTTP, the command line, the job runner."""
