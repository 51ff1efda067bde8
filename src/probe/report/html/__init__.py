"""Pages: templates, one stylesheet, and what a run or a span of time looks like in them."""
