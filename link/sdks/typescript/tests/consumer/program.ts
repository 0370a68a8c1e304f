/** A program without the types of browsers or of Node: those of the package stand alone. */

import { createClient, type KalamClient } from 'kalam-link';

export const client: KalamClient = createClient({ url: 'http://localhost:2900', auth: () => 'a token' });
