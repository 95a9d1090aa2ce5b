/** Starts a service on the ports its site file asks for, or on free ones, again where another process was quicker. */
import { freePort, isFree, releasePort } from './ports.ts';
import { type Service, type ServiceContext, type ServiceDefinition, ServiceStartError, startService } from './service.ts';

const BIND_ATTEMPTS = 5;

export type PortSetting = number | 'auto';
export type PortPreferences = Readonly<Record<string, number>>;

/**
 * @param settings by name; `preferences` are tried first where the setting is "auto"
 * @throws where a port that the site file fixes is taken, or the service fails for another reason
 */
export async function startOnPorts<Name extends string>(
  settings: Readonly<Record<Name, PortSetting>>,
  preferences: PortPreferences,
  define: (ports: Readonly<Record<Name, number>>) => ServiceDefinition,
  context: ServiceContext,
): Promise<{ readonly service: Service; readonly ports: Readonly<Record<Name, number>> }> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await choosePorts(settings, attempt === 1 ? preferences : {});
    const definition = define(ports);
    try {
      const service = await startService(definition, context);
      return { service, ports };
    } catch (error) {
      const taken = await takenPorts(ports);
      for (const port of Object.values<number>(ports)) releasePort(port);
      if (!(error instanceof ServiceStartError) || taken.length === 0 || attempt === BIND_ATTEMPTS) throw error;
      context.log(`${definition.name}: port ${taken.join(', ')} was taken meanwhile; trying another`);
    }
  }
}

async function choosePorts<Name extends string>(settings: Readonly<Record<Name, PortSetting>>, preferences: PortPreferences): Promise<Record<Name, number>> {
  const chosen: Partial<Record<Name, number>> = {};
  for (const name in settings) {
    const setting: PortSetting = settings[name];
    if (setting !== 'auto' && !(await isFree(setting)))
      throw new Error(`port ${setting} (${name}) is taken by another process; free it, or say "auto" in the site file`);
    chosen[name] = setting === 'auto' ? await freePort(preferences[name]) : setting;
  }
  return complete(settings, chosen);
}

function complete<Name extends string>(names: Readonly<Record<Name, unknown>>, values: Partial<Record<Name, number>>): Record<Name, number> {
  const isComplete = (candidate: Partial<Record<Name, number>>): candidate is Record<Name, number> => Object.keys(names).every((name) => name in candidate);
  if (!isComplete(values)) throw new Error('a port was not chosen');
  return values;
}

async function takenPorts(ports: Readonly<Record<string, number>>): Promise<number[]> {
  const checked = await Promise.all(Object.values(ports).map(async (port) => ({ port, free: await isFree(port) })));
  return checked.filter(({ free }) => !free).map(({ port }) => port);
}
