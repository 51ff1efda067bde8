"""The pictures of the dashboards in docs/images: how they are made, and of which state of a dashboard each is."""
