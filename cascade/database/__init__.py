"""Where tables live, whose ever they are: place, engine, numbered migrations, errors in words."""
