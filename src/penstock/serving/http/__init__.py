"""The inference service's HTTP: the application, its calls, its answers, its meters."""
