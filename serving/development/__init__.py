"""A server to develop against, where neither TF Serving's binary nor a docker engine is at hand. It is not TF Serving.

It answers as TF Serving does over gRPC and REST, watches the model's folder and swaps versions. Production wants TF
Serving: docs/deployment.md.
"""
