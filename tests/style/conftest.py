"""pytest puts this folder on the path, so that the tests can import the modules beside them."""
