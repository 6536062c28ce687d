"""What TensorBoard shows beside scalars: pictures of gates and experts, and the embedding projector."""
