"""The model for people who only want masks for their own words on their own pictures."""
