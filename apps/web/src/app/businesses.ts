/** The example businesses of the demo, by their ids. */
export const BUSINESSES: Readonly<Record<string, string>> = {
  'corner-cafe': 'Corner café',
  'bike-shop': 'Bike shop',
};
