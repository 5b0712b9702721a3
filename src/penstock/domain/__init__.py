"""The nouns: frozen records without behaviour beyond arithmetic on their own fields."""
