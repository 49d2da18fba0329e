//! Shows and replaces the components of cameras: their drivers and filters.

use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use super::response::{AdminResponse, error, json, method_not_allowed, swap_error};
use super::uploads::Uploads;
use crate::drivers::Drivers;
use crate::filters::FilterSlots;
use crate::sandbox::{CameraComponent, Origin, RequestBody};
use crate::swap::{CameraSlot, SlotReport};

/// Responds to requests about the drivers and filters of all cameras.
pub(super) struct CameraComponentsApi {
    /// The drivers, at `/cameras/NAME`.
    pub(super) drivers: Drivers,
    /// The filters, at `/cameras/NAME/filters/N`.
    pub(super) filters: FilterSlots,
}

/// A component, and where it can be replaced.
#[derive(Serialize)]
pub(super) struct ComponentReport {
    path: String,
    #[serde(flatten)]
    component: SlotReport,
}

impl ComponentReport {
    fn of<C: CameraComponent>(slot: &CameraSlot<C>) -> Self {
        let filter = slot.number().map(|number| format!("/filters/{number}")).unwrap_or_default();
        Self { path: format!("/cameras/{}{filter}", slot.camera()), component: slot.report() }
    }
}

impl CameraComponentsApi {
    /// All drivers, and then all filters.
    pub(super) fn reports(&self) -> Vec<ComponentReport> {
        let (drivers, filters) = (self.drivers.list(), self.filters.list());
        drivers.iter().map(ComponentReport::of).chain(filters.iter().map(ComponentReport::of)).collect()
    }

    /// Responds to a request for one camera. `rest` is what follows `/cameras/`.
    pub(super) async fn respond(
        &self,
        rest: &str,
        head: &Parts,
        body: &mut RequestBody<Incoming>,
        uploads: &Uploads,
    ) -> AdminResponse {
        let (path, is_rollback) = rest.strip_suffix("/rollback").map_or((rest, false), |path| (path, true));
        let (camera, filter) = match path.split_once('/') {
            None => return self.respond_for_driver(path, is_rollback, head, body, uploads).await,
            Some((camera, "filters")) if !is_rollback => return self.report_filters(camera, head),
            Some((camera, rest)) => (camera, rest.strip_prefix("filters/").and_then(|number| number.parse().ok())),
        };
        match filter.and_then(|number: usize| self.filters.of(camera).find(|slot| slot.number() == Some(number))) {
            Some(filter) => respond_for(&filter, is_rollback, head, body, uploads).await,
            None => error(StatusCode::NOT_FOUND, self.no_filter(camera)),
        }
    }

    async fn respond_for_driver(
        &self,
        camera: &str,
        is_rollback: bool,
        head: &Parts,
        body: &mut RequestBody<Incoming>,
        uploads: &Uploads,
    ) -> AdminResponse {
        match self.drivers.of(camera).next() {
            Some(driver) => respond_for(&driver, is_rollback, head, body, uploads).await,
            // What runs on this machine, such as the program of `exec:`, cannot be configured here.
            None if self.filters.of(camera).next().is_none() => {
                error(StatusCode::NOT_FOUND, "no camera with this name has a driver (--camera NAME=component:FILE)")
            }
            None => error(StatusCode::NOT_FOUND, format!("this camera has no driver; {}", self.no_filter(camera))),
        }
    }

    fn report_filters(&self, camera: &str, head: &Parts) -> AdminResponse {
        let filters: Vec<_> = self.filters.of(camera).map(|filter| ComponentReport::of(&filter)).collect();
        match head.method {
            _ if filters.is_empty() => error(StatusCode::NOT_FOUND, self.no_filter(camera)),
            Method::GET | Method::HEAD => json(StatusCode::OK, &filters),
            _ => method_not_allowed("GET, HEAD"),
        }
    }

    /// Which filters a camera has, for a client that asked for another.
    fn no_filter(&self, camera: &str) -> String {
        match self.filters.of(camera).next_back().and_then(|filter| filter.number()) {
            Some(1) => format!("its filter is /cameras/{camera}/filters/1"),
            Some(last) => format!("its filters are /cameras/{camera}/filters/1 to /cameras/{camera}/filters/{last}"),
            None => "no camera with this name has a filter (--camera NAME=SOURCE,filter=FILE)".to_owned(),
        }
    }
}

/// Responds to a request for one component.
async fn respond_for<C: CameraComponent>(
    slot: &CameraSlot<C>,
    is_rollback: bool,
    head: &Parts,
    body: &mut RequestBody<Incoming>,
    uploads: &Uploads,
) -> AdminResponse {
    let report = || json(StatusCode::OK, &ComponentReport::of(slot));
    match (is_rollback, &head.method) {
        (false, &Method::GET | &Method::HEAD) => report(),
        (false, &Method::PUT) => {
            let origin = Origin::CameraUpload { role: C::ROLE };
            let (_permit, candidate) = match uploads.receive(origin, &head.headers, body).await {
                Ok(received) => received,
                Err(refused) => {
                    refused.log(&format!("{} of camera {}", slot.label(), slot.camera()));
                    return refused.response;
                }
            };
            slot.replace(candidate).await.map_or_else(|reason| swap_error(&reason), |()| report())
        }
        (false, _) => method_not_allowed("GET, HEAD, PUT"),
        (true, &Method::POST) => {
            slot.roll_back().map_or_else(|reason| error(StatusCode::CONFLICT, reason), |()| report())
        }
        (true, _) => method_not_allowed("POST"),
    }
}
