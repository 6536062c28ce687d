"""The SavedModel: signatures, folded gates, warm-up requests, limits of a request."""
