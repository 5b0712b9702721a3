"""What a person is told of a model beside its score: what drives it, where it fails, which labels look wrong."""
