"""One view: parse, insert, answer."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.bare.models import SignUp


class SignUpBody(serializers.Serializer[Any]):
    """What is posted, and what is answered."""

    id = serializers.IntegerField(read_only=True)
    shift = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=["in", "out", "claim"])
    occurred_at = serializers.DateTimeField()
    lat = serializers.FloatField(required=False, allow_null=True)
    lon = serializers.FloatField(required=False, allow_null=True)

    def create(self, validated_data: Any) -> SignUp:
        return SignUp.objects.create(**validated_data)


class SignUpView(APIView):
    """POST /signups."""

    def post(self, request: Request) -> Response:
        body = SignUpBody(data=request.data)
        body.is_valid(raise_exception=True)
        body.save(person=request.user)
        return Response(body.data, status=201)
