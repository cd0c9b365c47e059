// Choose dark or light before anything is drawn: what was chosen here, else the system's.
(() => {
  const chosen = localStorage.getItem("seacall.theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const theme = localStorage.getItem("seacall.theme") ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
  };
  document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
  system.addEventListener("change", set);
})();
