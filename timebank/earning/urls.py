"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from timebank.earning import api, pages

app_name = "earning"
urlpatterns: list[URLPattern] = [
    path("hours/", pages.my_hours, name="hours"),
    path("hours/review/", pages.review, name="review"),
]
api_urlpatterns: list[URLPattern] = [
    path("hours", api.HoursView.as_view(), name="hours"),
    path("hours/<id:hour_log_id>/approve", api.ApproveView.as_view(), name="hours-approve"),
    path("hours/<id:hour_log_id>/reject", api.RejectView.as_view(), name="hours-reject"),
]
