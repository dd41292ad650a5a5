"""Linli's settings: read once from the environment, failing loudly by the variable's name.

`.env.example` lists every variable. Two modes: embedded (SQLite and the in-process layer),
unless DATABASE_URL and REDIS_URL say otherwise.
"""

import importlib.util
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from environs import Env, EnvError
from geopy.geocoders import SERVICE_TO_GEOCODER
from phonenumbers import SUPPORTED_REGIONS

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(BASE_DIR / ".env", recurse=False)


def _read(read: Any, name: str, **options: Any) -> Any:
    """Read one variable; a bad value names the variable and says what was expected."""
    try:
        return read(name, **options)
    except EnvError as error:
        raise ImproperlyConfigured(f"{error}. See .env.example.") from error


def _at_least_one(name: str, *, default: int) -> int:
    """Read a number that means nothing below 1: 0 days kept would delete all."""
    number: int = _read(env.int, name, default=default)
    if number < 1:
        raise ImproperlyConfigured(f"{name} is {number}: it must be at least 1. See .env.example.")
    return number


def _development_secret(folder: Path) -> str:
    """Keep one random key per checkout, so that sessions survive a restart of the demo."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


LINLI_ENV = _read(env.str, "LINLI_ENV", default="development")
if LINLI_ENV not in {"development", "production"}:
    raise ImproperlyConfigured(
        f"LINLI_ENV is {LINLI_ENV!r}: it must be 'development' or 'production'. See .env.example."
    )
PRODUCTION = LINLI_ENV == "production"
VAR_DIR = Path(_read(env.str, "LINLI_VAR_DIR", default=str(BASE_DIR / "var")))
DEBUG = _read(env.bool, "LINLI_DEBUG", default=False)

if PRODUCTION:
    SECRET_KEY = _read(env.str, "LINLI_SECRET_KEY")
    ALLOWED_HOSTS = _read(env.list, "LINLI_ALLOWED_HOSTS")
    if len(SECRET_KEY) < 40:
        raise ImproperlyConfigured("LINLI_SECRET_KEY must have at least 40 characters.")
    if not any(ALLOWED_HOSTS):
        raise ImproperlyConfigured("LINLI_ALLOWED_HOSTS is empty: no request would be answered.")
else:
    SECRET_KEY = _read(env.str, "LINLI_SECRET_KEY", default="") or _development_secret(VAR_DIR)
    ALLOWED_HOSTS = _read(
        env.list, "LINLI_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"]
    )
CSRF_TRUSTED_ORIGINS = _read(env.list, "LINLI_TRUSTED_ORIGINS", default=[])
SITE_URL = _read(env.str, "LINLI_SITE_URL", default="http://127.0.0.1:8000").rstrip("/")
if not SITE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured("LINLI_SITE_URL must start with http:// or https://.")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "lucide",
    "phonenumber_field",
    "csp",
    "django_tasks",
    "django_tasks_db",
    "common",
    "realtime",
    "grids.places",
    "grids.zoning",
    "grids.people",
    "grids.maps",
    "timebank.ledger",
    "timebank.earning",
    "timebank.spending",
    "patrols.shifts",
    "patrols.rosters",
    "patrols.checkins",
    "patrols.routes",
    "config.apps.LinliConfig",
]

MIDDLEWARE = [
    "config.ops.MetricsMiddleware",
    "common.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "grids.people.middleware.MemberLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "common.middleware.MethodMiddleware",
    "common.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.navigation.navigation",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static"],
        },
    }
]

# --- Database: SQLite embedded, PostgreSQL scaled -------------------------------------------
DATABASE_URL = _read(env.str, "DATABASE_URL", default="")
if not DATABASE_URL:
    DATABASE_URL = f"sqlite:///{VAR_DIR / 'linli.sqlite3'}"
try:
    _database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))
except (ValueError, KeyError) as error:
    raise ImproperlyConfigured(
        "DATABASE_URL must look like postgresql://user:password@host:5432/name "
        f"or sqlite:///path: {error}"
    ) from error
_engine = _database["ENGINE"].rsplit(".", 1)[-1]
if _engine == "sqlite3":
    # IMMEDIATE: a deferred transaction that upgrades to a write fails at once with
    # "database is locked"; an immediate one waits its turn.
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    # Each thread of the web pool keeps its connection: to open one is to read the whole schema.
    _database["CONN_MAX_AGE"] = 600
    # synchronous=FULL: with NORMAL a power cut could take back what a kitchen was told is paid.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
        ),
    }
elif _engine == "postgresql":
    # Under ASGI persistent connections leak, one per thread; a pool does not.
    _database["CONN_MAX_AGE"] = 0
    if _read(env.int, "LINLI_DB_POOL_MIN", default=2) > _read(
        env.int, "LINLI_DB_POOL_MAX", default=20
    ):
        raise ImproperlyConfigured("LINLI_DB_POOL_MIN is above LINLI_DB_POOL_MAX.")
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "pool": {
            "min_size": _at_least_one("LINLI_DB_POOL_MIN", default=2),
            "max_size": _at_least_one("LINLI_DB_POOL_MAX", default=20),
            "timeout": 15,
        },
    }
else:
    raise ImproperlyConfigured(f"DATABASE_URL names {_engine}: Linli runs on sqlite or postgresql.")
if _engine == "sqlite3":
    # A file, since an in-memory database can't be shared by the threads of the race tests.
    _database["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Channel layer and cache -----------------------------------------------------------------
REDIS_URL = _read(env.str, "REDIS_URL", default="")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL must look like redis://host:6379/0.")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Without socket_timeout None redis-py closes an idle subscriber after 5 s.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}

# --- People ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "people.Member"
AUTHENTICATION_BACKENDS = ["grids.people.backends.MemberBackend"]
LOGIN_URL = "people:sign-in"
LOGIN_REDIRECT_URL = "/"
PHONENUMBER_DEFAULT_REGION = _read(env.str, "LINLI_PHONE_REGION", default="CN")
if PHONENUMBER_DEFAULT_REGION not in SUPPORTED_REGIONS:
    raise ImproperlyConfigured("LINLI_PHONE_REGION must be a country's two letters, such as CN.")
PHONENUMBER_DB_FORMAT = "E164"
SMS_BACKEND = _read(env.str, "LINLI_SMS_BACKEND", default="console")
SMS_GATEWAY_URL = _read(env.str, "LINLI_SMS_GATEWAY_URL", default="")
SMS_GATEWAY_TOKEN = _read(env.str, "LINLI_SMS_GATEWAY_TOKEN", default="")
# The tests' third backend, "memory", keeps every message: no server may choose it.
if SMS_BACKEND not in {"console", "http"}:
    raise ImproperlyConfigured("LINLI_SMS_BACKEND must be 'console' or 'http'.")
if SMS_BACKEND == "http" and not SMS_GATEWAY_URL.startswith(("https://", "http://")):
    raise ImproperlyConfigured(
        "LINLI_SMS_BACKEND=http needs LINLI_SMS_GATEWAY_URL, an http(s) URL."
    )

# --- Language and time -----------------------------------------------------------------------
LANGUAGE_CODE = _read(env.str, "LINLI_LANGUAGE", default="zh-hans")
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
if LANGUAGE_CODE not in dict(LANGUAGES):
    raise ImproperlyConfigured("LINLI_LANGUAGE must be zh-hans or en.")
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = _read(env.str, "LINLI_TIME_ZONE", default="Asia/Shanghai")
try:
    ZoneInfo(TIME_ZONE)
except (ZoneInfoNotFoundError, ValueError, OSError) as error:
    raise ImproperlyConfigured(
        "LINLI_TIME_ZONE must be an IANA zone, such as Asia/Shanghai."
    ) from error

# --- Static files ----------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# django-leaflet as an installed app imports GeoDjango, which needs GDAL: only its scripts are used.
_leaflet = importlib.util.find_spec("leaflet")
if _leaflet is None or _leaflet.origin is None:
    raise ImproperlyConfigured("django-leaflet is missing: install requirements/base.lock.")
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("leaflet", str(Path(_leaflet.origin).parent / "static" / "leaflet")),
]
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_KEEP_ONLY_HASHED_FILES = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "grids.people.backends.TokenAuthentication",
        "grids.people.backends.ApiSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "common.pagination.ByIdPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "common.api.problem_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Linli API",
    "DESCRIPTION": "Grid patrols and the volunteer time bank of a neighbourhood.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

# --- Security --------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}
CSRF_FAILURE_VIEW = "config.error_pages.csrf_failed"
PERMISSIONS_POLICY = "geolocation=(self), camera=(self), microphone=()"
X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
    SECURE_SSL_REDIRECT = _read(env.bool, "LINLI_SSL_REDIRECT", default=False)
TRUST_PROXY = _read(env.bool, "LINLI_TRUST_PROXY", default=False)
# Nothing that people send is larger: maps and lists of members are imported by commands, from
# files. The server cuts off at the first, Django refuses a form or JSON above the second.
MAX_BODY_BYTES = _at_least_one("LINLI_MAX_BODY_MB", default=20) * 2**20
DATA_UPLOAD_MAX_MEMORY_SIZE = min(5 * 2**20, MAX_BODY_BYTES)

# --- Metrics: whoever has the token, or else who connects from nearby, without a proxy ---------
METRICS_TOKEN = _read(env.str, "LINLI_METRICS_TOKEN", default="")
try:
    METRICS_NETWORKS = [
        ip_network(name)
        for name in _read(
            env.list,
            "LINLI_METRICS_NETWORKS",
            default=[
                "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
            ],
        )
    ]  # fmt: skip
except ValueError as error:
    raise ImproperlyConfigured(
        f"LINLI_METRICS_NETWORKS must be networks, such as 10.0.0.0/8: {error}"
    ) from error

# --- Maps: no tile is loaded from anywhere unless a server is named ---------------------------
TILE_URL = _read(env.str, "LINLI_TILE_URL", default="")
TILE_ATTRIBUTION = _read(env.str, "LINLI_TILE_ATTRIBUTION", default="")
# A geocoder of geopy (nominatim, photon, baiduv3 …) and its options; none unless named.
GEOCODER = _read(env.str, "LINLI_GEOCODER", default="").lower()
GEOCODER_TIMEOUT_S = _at_least_one("LINLI_GEOCODER_TIMEOUT_S", default=5)
GEOCODER_OPTIONS = _read(env.json, "LINLI_GEOCODER_OPTIONS", default={})
if GEOCODER and GEOCODER not in SERVICE_TO_GEOCODER:
    raise ImproperlyConfigured(
        f"LINLI_GEOCODER is {GEOCODER!r}: geopy has {', '.join(sorted(SERVICE_TO_GEOCODER))}."
    )
if not isinstance(GEOCODER_OPTIONS, dict):
    raise ImproperlyConfigured("LINLI_GEOCODER_OPTIONS must be a JSON object. See .env.example.")

# --- Work in the background ------------------------------------------------------------------
EVENT_KEEP_DAYS = _at_least_one("LINLI_EVENT_KEEP_DAYS", default=30)
POSITION_KEEP_DAYS = _at_least_one("LINLI_POSITION_KEEP_DAYS", default=30)
TRACK_KEEP_DAYS = _at_least_one("LINLI_TRACK_KEEP_DAYS", default=7)
SHIFTS_AHEAD_DAYS = _at_least_one("LINLI_SHIFTS_AHEAD_DAYS", default=28)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": _read(env.str, "LINLI_LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "django_tasks_db": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
