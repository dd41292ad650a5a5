"""The bare project's one path."""

from django.urls import path

from bench.bare.api import SignUpView

urlpatterns = [path("signups", SignUpView.as_view())]
