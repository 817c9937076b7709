/** Both kinds of modules do the same. */
exports.visit = async ({ client, create }) => {
  await client.open();
  const live = client.db.tasks.live();
  const shown = new Promise((resolve) =>
    live.subscribe(({ rows }) => {
      if (rows.some(({ visits, tags }) => visits === 1 && tags?.[0] === 'shop')) resolve(rows);
    }),
  );
  const settlement = await create('Milk');
  const [row] = await shown;
  await client.close();
  console.log(JSON.stringify({ status: settlement?.status, title: row.title }));
};
