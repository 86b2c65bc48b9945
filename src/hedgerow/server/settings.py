"""Django's settings, derived from `core.config` and nothing else."""

from importlib.metadata import version
from typing import Any
from urllib.parse import unquote, urlparse

from hedgerow.core.config import Config, load

CONFIG: Config = load()


def _database(config: Config) -> dict[str, Any]:
    if not config.database_url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(config.sqlite_path),
            "CONN_MAX_AGE": None,  # opening the file anew costs a request a third of its time
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    url = urlparse(config.database_url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": url.port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10},
    }


SECRET_KEY = CONFIG.secret_key
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {"default": _database(CONFIG)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
ROOT_URLCONF = "hedgerow.server.urls"
APPEND_SLASH = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "hedgerow.accounts",
    "hedgerow.work",
    "hedgerow.files",
    "hedgerow.warehouse",
    "hedgerow.sources",
    "hedgerow.sync",
    "hedgerow.api",
]
MIDDLEWARE = [
    "hedgerow.api.middleware.Outermost",
    "hedgerow.api.middleware.CrossOrigin",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "hedgerow.api.errors.handler",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "DEFAULT_SCHEMA_CLASS": "hedgerow.api.schema.ContractSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
_SECURITY = {
    "PersonalAPIKey": {"type": "http", "scheme": "bearer"},
    "Session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
    "CSRFToken": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hedgerow API",
    "DESCRIPTION": "Bring data from anywhere into open Delta Lake tables.",
    "VERSION": version("hedgerow"),
    "SCHEMA_PATH_PREFIX": "/api/",
    "APPEND_COMPONENTS": {"securitySchemes": _SECURITY},
    "POSTPROCESSING_HOOKS": [],  # enums stay where they are used: their names would change with every new one
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.public_url.startswith("https://")
CSRF_TRUSTED_ORIGINS = [origin.strip() for origin in CONFIG.cors_origins.split(",") if origin.strip()]
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
LOGGING_CONFIG = None
