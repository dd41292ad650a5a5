"""What findings in lists of members say to people."""

from django.utils.translation import gettext_noop as _

from grids.places.wording import WORDS

_TABLE = _("Save the list again as XLSX, or as CSV in UTF-8.")
_CHOOSE = _("Remove the row, or choose to skip or update members who are there already.")

WORDS.update(
    {
        "table_too_large": (_("The file is larger than %(most)s MB."), _("Split the list.")),
        "unpacks_too_large": (
            _("The workbook unpacks to more than %(most)s MB."),
            _("Copy the list alone into a new workbook."),
        ),
        "too_many_rows": (_("The list has more than %(most)s rows."), _("Split the list.")),
        "old_workbook": (_("This is a workbook of the old kind (.xls)."), _TABLE),
        "bad_workbook": (_("The workbook is damaged or no workbook."), _TABLE),
        "no_sheet": (_("The workbook has no sheet with rows."), _TABLE),
        "bad_csv": (_("The table can't be read in line %(line)s: %(reason)s."), _TABLE),
        "no_encoding": (_("The text is neither UTF-8 nor GB18030."), _TABLE),
        "no_rows": (_("The list has no rows below its header."), _("Check the file.")),
        "columns_ignored": (
            _("These columns are not read: %(names)s."),
            _("Rename them if they should be."),
        ),
        "column_twice": (_("This column is there twice."), _("Remove or rename one of them.")),
        "no_name_column": (
            _("The first row names no column “name” (姓名), but: %(found)s."),
            _("Name the columns name, phone, address, language, class in the first row."),
        ),
        "name_empty": (_("The name is empty."), _("Write the name, or remove the row.")),
        "name_unprintable": (
            _("A name must be 1 to 80 printable characters."),
            _("Type the name anew, without invisible characters."),
        ),
        "phone_rounded": (
            _("%(phone)s was rounded by the spreadsheet."),
            _("Format the column as text and type the number again."),
        ),
        "no_phone": (
            _("%(phone)s is no phone number."),
            _("Write one number, such as 138 0000 0000, or leave it empty."),
        ),
        "no_language": (
            _("%(value)s is no language that we have."),
            _("Write zh-hans or en, or leave it empty."),
        ),
        "no_class": (_("%(value)s is no class of member."), _("Write one of: %(allowed)s.")),
        "address_unknown": (
            _("No building has the address %(address)s."),
            _("Correct it, import the building first, or choose to leave such homes empty."),
        ),
        "address_ambiguous": (
            _("%(count)s buildings in different cells have the address %(address)s."),
            _("Write the address in more detail."),
        ),
        "home_left_empty": (
            _("No building has the address %(address)s; the home stays empty."),
            _("Set it later, when the building is on the map."),
        ),
        "phone_in_row": (_("The same phone stands in row %(first)s already."), _CHOOSE),
        "person_in_row": (
            _("The same name and address stand in row %(first)s already."),
            _CHOOSE,
        ),
        "phone_known": (_("The phone belongs to a member already."), _CHOOSE),
        "person_known": (
            _("A member of this name lives at this address already."),
            _CHOOSE,
        ),
        "skipped": (_("Is there already; the row is skipped."), ""),
        "updated": (_("Is there already and will be updated."), ""),
        "not_ours": (
            _("The phone belongs to a member of another community; the row is skipped."),
            _("Ask that community's office."),
        ),
        "phone_differs": (
            _("This member is there already with another phone, or holds a role."),
            _("Change the phone by hand, after checking with the person."),
        ),
    }
)
