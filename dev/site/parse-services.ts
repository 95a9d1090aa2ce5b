/** "temporal,s3" as the services of a site. */
import { type SiteService, siteServices } from './start-site.ts';

export function parseServices(text: string): SiteService[] {
  return text.split(',').map((name) => {
    const service = siteServices.find((candidate) => candidate === name.trim());
    if (!service) throw new Error(`no service "${name.trim()}"; there are ${siteServices.join(', ')}`);
    return service;
  });
}
