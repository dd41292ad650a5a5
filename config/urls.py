"""Every address of Linli: pages at the root, the API under /api/v1/."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from common import converters
from config import ops

converters.register()

from grids.maps import urls as maps  # noqa: E402
from grids.people import urls as people  # noqa: E402
from grids.places import urls as places  # noqa: E402
from patrols.checkins import urls as checkins  # noqa: E402
from patrols.rosters import urls as rosters  # noqa: E402
from patrols.routes import urls as routes  # noqa: E402
from patrols.shifts import urls as shifts  # noqa: E402
from realtime import urls as realtime  # noqa: E402
from timebank.earning import urls as earning  # noqa: E402
from timebank.ledger import urls as ledger  # noqa: E402
from timebank.spending import urls as spending  # noqa: E402

APPS = [
    people,
    places,
    maps,
    ledger,
    earning,
    spending,
    shifts,
    rosters,
    checkins,
    routes,
    realtime,
]

api = [pattern for app in APPS for pattern in app.api_urlpatterns]
urlpatterns = [
    *ops.urlpatterns,
    *(path("", include((app.urlpatterns, app.app_name))) for app in APPS),
    path("api/v1/", include((api, "api"))),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    # Split: our content policy allows no inline script.
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]

handler404 = "config.error_pages.not_found"
handler403 = "config.error_pages.forbidden"
handler400 = "config.error_pages.bad_request"
handler500 = "config.error_pages.crashed"
