"""Every setting of Darkroom: `load_settings` reads them, `settings.errors` has what is raised where one is wrong.

The lowest room of the house: it imports nothing else of the project.
"""

from settings.loading import Settings, load_settings, settings_file

__all__ = ["Settings", "load_settings", "settings_file"]
