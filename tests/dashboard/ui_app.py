"""The pages, with or without the process that draws."""

from cascade.dashboard import dashboard_app


class NoPictures:
    """In the place of the process that draws, where pictures are not what is tested."""

    def draw(self, pictures):
        return {picture.name: None for picture in pictures}

    def warm_up(self):
        pass

    def close(self):
        pass


def app_of(store, *, pictures=False, **options):
    app = dashboard_app(store, **options)
    if not pictures:
        object.__setattr__(app.state.site, "draughtsman", NoPictures())
    return app
