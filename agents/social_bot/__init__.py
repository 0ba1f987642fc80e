"""Find out whether a visitor can be seen elsewhere: whom to ask, when again, what it comes to."""
