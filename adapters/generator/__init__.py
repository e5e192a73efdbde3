"""Training of the generator, its autoencoder and its flow; knows nothing of who asks for films."""
