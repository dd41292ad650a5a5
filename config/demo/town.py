"""Build the demo town: Liechtenstein's real buildings, three communities, about 800 members.

Everything follows from one seed. Rows that a person would enter through a service are made by
that service; people and their availability are written in bulk, in one unit of work.
"""
