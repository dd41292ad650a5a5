"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from grids.people import api, group_api, group_pages, import_api, import_pages, pages

app_name = "people"
urlpatterns: list[URLPattern] = [
    path("sign-in/", pages.sign_in, name="sign-in"),
    path("sign-in/code/", pages.sign_in_code, name="sign-in-code"),
    path("sign-in/link/<str:signed>/", pages.sign_in_link, name="sign-in-link"),
    path("sign-out/", pages.sign_out, name="sign-out"),
    path("imports/", import_pages.import_list, name="imports"),
    path("imports/<id:upload_id>/", import_pages.import_page, name="import"),
    path("imports/<id:upload_id>/report.csv", import_pages.import_report, name="import-report"),
    path("imports/<id:upload_id>/apply/", import_pages.import_apply, name="import-apply"),
    path("me/", pages.me, name="me"),
    path("me/consents/<slug:purpose>/", pages.consent, name="consent"),
    path("me/proxies/<id:proxy_id>/end/", pages.end_proxy, name="end-proxy"),
    path("me/data/", pages.my_data, name="my-data"),
    path("me/delete/", pages.delete_me, name="delete-me"),
    path("cells/", group_pages.my_cells, name="cells"),
    path("cells/<id:cell_id>/", group_pages.cell_page, name="cell"),
    path("cells/<id:cell_id>/rename/", group_pages.rename, name="cell-rename"),
    path("cells/<id:cell_id>/link/", group_pages.renew_link, name="cell-link"),
    path("cells/<id:cell_id>/close/", group_pages.close, name="cell-close"),
    path("cells/<id:cell_id>/leave/", group_pages.leave, name="cell-leave"),
    path("cells/<id:cell_id>/add/", group_pages.add, name="cell-add"),
    path("cells/<id:cell_id>/remove/", group_pages.remove, name="cell-remove"),
    path("join/<str:key>/", group_pages.join, name="join"),
    # Before Django's own, which would ask for a password.
    path("admin/login/", pages.admin_sign_in, name="admin-sign-in"),
]
api_urlpatterns: list[URLPattern] = [
    path("auth/codes", api.Codes.as_view(), name="auth-codes"),
    path("auth/tokens", api.Tokens.as_view(), name="auth-tokens"),
    path("imports", import_api.Imports.as_view()),
    path("imports/<id:upload_id>", import_api.ImportDetail.as_view()),
    path("imports/<id:upload_id>/report", import_api.ImportReport.as_view()),
    path("imports/<id:upload_id>/apply", import_api.ImportApply.as_view()),
    path("geocode", import_api.Geocode.as_view()),
    path("me", api.Me.as_view(), name="me"),
    path("me/export", api.MyExport.as_view(), name="me-export"),
    path("cells/join", group_api.JoinGroup.as_view()),
    path("cells/<id:cell_id>", group_api.Group.as_view()),
    path("cells/<id:cell_id>/leave", group_api.LeaveGroup.as_view()),
    path("cells/<id:cell_id>/members", group_api.GroupMembers.as_view()),
    path("cells/<id:cell_id>/members/<id:member_id>", group_api.GroupMemberOne.as_view()),
]
