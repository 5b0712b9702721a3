"""What a Bento carries to serve one version alone, and how it is asked its examples."""
