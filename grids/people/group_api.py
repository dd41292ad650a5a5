"""Chat groups (virtual cells) over HTTP. Opening one is `POST /api/v1/cells`, beside their list."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import Endpoint, IdField
from common.errors import NotFound
from common.unit_of_work import UnitOfWork
from grids.people import queries, rules, services
from grids.people.backends import member_of
from grids.places.models import Cell


class GroupName(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)


class _Key(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=40)


class _Who(serializers.Serializer[Any]):
    member = IdField()


class GroupAnswer(serializers.Serializer[Any]):
    """A chat group as those see it who are in it or lead it."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    community = serializers.IntegerField()
    members = serializers.IntegerField(help_text="How many are in it; at most 500.")
    join_key = serializers.CharField(required=False, help_text="For its captains only.")


def group_data(cell: Cell, *, led: bool = False) -> dict[str, Any]:
    """Return a group as JSON; its invitation only for those who lead it."""
    data = {
        "id": cell.pk,
        "code": cell.code,
        "name": str(cell),
        "kind": str(cell.kind),
        "community": cell.community_id,
        "members": cell.group_size,
    }
    return {**data, "join_key": cell.join_key} if led else data


class _GroupEndpoint(Endpoint):
    def group(self, cell_id: int) -> Cell:
        """Return the group of this id, or raise NotFound."""
        cell = queries.cell_visible_to(member_of(self.request), cell_id)
        if cell.kind != Cell.Kind.VIRTUAL:
            raise NotFound
        return cell


class Group(_GroupEndpoint):
    """One chat group."""

    @extend_schema(tags=["places"], request=GroupName, responses=GroupAnswer)
    def patch(self, request: Request, cell_id: int) -> Response:
        """Rename a chat group that you lead."""
        actor, cell, name = member_of(request), self.group(cell_id), self.read(GroupName)["name"]

        def service(work: UnitOfWork) -> tuple[int, Any]:
            done = services.rename_group(cell=cell, name=name, actor=actor, now=work.now)
            return 200, group_data(done, led=True)

        return self.write(service)

    @extend_schema(tags=["places"], request=None, responses={204: None})
    def delete(self, request: Request, cell_id: int) -> Response:
        """Close a chat group that you lead; everybody in it leaves."""
        actor, cell = member_of(request), self.group(cell_id)

        def service(work: UnitOfWork) -> tuple[int, None]:
            services.retire_group(cell=cell, actor=actor, now=work.now)
            return 204, None

        return self.write(service)


class JoinGroup(Endpoint):
    """Entering by an invitation."""

    @extend_schema(
        tags=["places"],
        request=_Key,
        responses={201: GroupAnswer, 409: OpenApiResponse(description="group_full, …")},
    )
    def post(self, request: Request) -> Response:
        """Join the chat group whose invitation key you have."""
        actor, key = member_of(request), self.read(_Key)["key"]

        def service(work: UnitOfWork) -> tuple[int, Any]:
            return 201, group_data(services.join_group(key=key, actor=actor, now=work.now))

        return self.write(service)


class LeaveGroup(_GroupEndpoint):
    """Leaving."""

    @extend_schema(tags=["places"], request=None, responses={204: None})
    def post(self, request: Request, cell_id: int) -> Response:
        """Leave a chat group."""
        actor, cell = member_of(request), self.group(cell_id)

        def service(work: UnitOfWork) -> tuple[int, None]:
            services.leave_group(cell=cell, actor=actor, now=work.now)
            return 204, None

        return self.write(service)


class GroupMembers(_GroupEndpoint):
    """Who is in a chat group."""

    @extend_schema(tags=["places"], responses=serializers.ListSerializer(child=_Who()))
    def get(self, request: Request, cell_id: int) -> Response:
        """List id and name of those in a group that you lead."""
        actor, cell = member_of(request), self.group(cell_id)
        rules.require_lead(actor, cell)
        rows = queries.group_members(cell)
        return Response([{"id": row.member_id, "name": row.member.display_name} for row in rows])

    @extend_schema(tags=["places"], request=_Who, responses={201: GroupAnswer})
    def post(self, request: Request, cell_id: int) -> Response:
        """Let a neighbour into a group that you lead."""
        actor, cell, wanted = member_of(request), self.group(cell_id), self.read(_Who)["member"]
        rules.require_lead(actor, cell)
        member = queries.neighbours_of(cell).filter(pk=wanted).first()
        if member is None:
            raise NotFound

        def service(work: UnitOfWork) -> tuple[int, Any]:
            done = services.add_to_group(cell=cell, member=member, actor=actor, now=work.now)
            return 201, group_data(done, led=True)

        return self.write(service)


class GroupMemberOne(_GroupEndpoint):
    """One who is in a chat group."""

    @extend_schema(tags=["places"], request=None, responses={204: None})
    def delete(self, request: Request, cell_id: int, member_id: int) -> Response:
        """Take a member out of a group that you lead."""
        actor, cell = member_of(request), self.group(cell_id)
        rules.require_lead(actor, cell)
        row = queries.group_members(cell).filter(member=member_id).first()
        if row is None:
            raise NotFound
        member = row.member

        def service(work: UnitOfWork) -> tuple[int, None]:
            services.remove_from_group(cell=cell, member=member, actor=actor, now=work.now)
            return 204, None

        return self.write(service)
