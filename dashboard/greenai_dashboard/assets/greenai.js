/* Cell renderers of the table of runs, the clientside callbacks, and the colour scheme. No library, no eval. */
(function () {
    'use strict';

    var element = function () {
        return window.React.createElement.apply(window.React, arguments);
    };

    /* Cells. Text goes in as text, never as HTML: names come from users. */
    var cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

    cells.GreenaiName = function (props) {
        if (!props.data) {
            return element('span', { className: 'muted' }, '…');
        }
        return element('a', { href: '/run/' + encodeURIComponent(props.data.id) }, (props.data.name || '').trim() || props.data.id);
    };

    cells.GreenaiBadge = function (props) {
        return props.data ? element('span', { className: 'badge badge-' + props.data.state_key }, props.value) : null;
    };

    cells.GreenaiQuality = function (props) {
        if (!props.data || !props.data.quality_key) {
            return props.data ? '–' : null;
        }
        return element('span', { className: 'cell-lines' },
            element('span', { className: 'badge badge-' + props.data.quality_key }, props.value),
            element('span', { className: 'cell-detail' }, props.data.share));
    };

    cells.GreenaiEnergy = function (props) {
        if (!props.data) {
            return null;
        }
        return element('span', { className: 'cell-lines' },
            element('span', null, props.value,
                props.data.quality_key && props.data.quality_key !== 'measured'
                    ? element('span', { className: 'cell-remark' }, ' ' + props.data.quality) : null),
            element('span', { className: 'cell-detail' }, props.data.interval));
    };

    /* Clientside callbacks. */
    var withGrid = function (action) {
        return window.dash_ag_grid.getApiAsync('runs-grid').then(function (api) {
            action(api);
            return window.dash_clientside.no_update;
        });
    };

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.greenai = {
        /* Filters changed: other rows, from the top. */
        purgeRuns: function () {
            return withGrid(function (api) { api.purgeInfiniteCache(); });
        },
        /* News: the rows in view are fetched again; sorting and scrolling stay. */
        refreshRuns: function () {
            return withGrid(function (api) { api.refreshInfiniteCache(); });
        },
        /* On a narrow screen: name, energy, state and quality first, the rest on the wider one. */
        fitRuns: function () {
            return withGrid(function (api) {
                if (window.matchMedia('(max-width: 40rem)').matches) {
                    api.setColumnsVisible(['project', 'task', 'approach', 'phase'], false);
                    api.moveColumns(['total_j', 'state'], 1);
                }
            });
        },
        setTitle: function (title) {
            if (title) {
                document.title = title;
            }
            return window.dash_clientside.no_update;
        }
    };

    /* Colour scheme: known before the first paint, and passed on to the grid whenever it changes. */
    var root = document.documentElement;
    var apply = function () {
        document.body.dataset.agThemeMode = root.getAttribute('data-mantine-color-scheme') || 'light';
    };
    var stored = null;
    try {
        stored = window.localStorage.getItem('mantine-color-scheme-value');
    } catch (error) {
        stored = null; // storage is switched off: follow the system
    }
    var dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
    var scheme = stored === 'dark' || stored === 'light' ? stored : (dark ? 'dark' : 'light');
    root.setAttribute('data-mantine-color-scheme', scheme);
    new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ['data-mantine-color-scheme'] });
    apply();
})();
