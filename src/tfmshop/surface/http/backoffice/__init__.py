"""The API of staff: below /api/v1/admin, a permission on each route."""
