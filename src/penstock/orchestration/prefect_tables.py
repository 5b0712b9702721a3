"""Make Prefect's tables, with the kinds of blocks that its server writes into them: run as a program of its own."""

import asyncio

from prefect.plugins import load_prefect_collections
from prefect.server.database import provide_database_interface
from prefect.server.models.block_registration import run_block_auto_registration


async def make_tables() -> None:
    """Make the tables in the database that Prefect's settings name, and fill in what a first start would."""
    load_prefect_collections()  # which may bring blocks of their own
    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session=session)


if __name__ == "__main__":
    asyncio.run(make_tables())
