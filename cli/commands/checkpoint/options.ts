/** What the commands of a node have in common. */
export const NODE_OPTION = '--node <id>';
export const NODE_ABOUT = 'the node that this runs on, as the site file names it';
