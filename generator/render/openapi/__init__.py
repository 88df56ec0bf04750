"""The OpenAPI 3.1 document of the REST side: schemas from messages, operations from routes, errors from the error table."""
