"""What makes the book: figures, widgets, pictures, and the tools that run, check and publish its pages."""
